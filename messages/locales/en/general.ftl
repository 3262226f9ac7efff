# What is shown in place of a message that only a newer version has.

unknown-reason = A newer version of Muster explains the code { $code }.
unknown-message = A newer version of Muster explains this.
