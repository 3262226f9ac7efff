# What is shown in place of a message that only a newer version has.

unknown-reason = Only a newer version of Muster can explain the code { $code }.
unknown-message = Only a newer version of Muster can show this message.
