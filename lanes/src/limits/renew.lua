-- Keeps a place. KEYS: the places taken. ARGV: the lease's name and its length in microseconds. A place that was lost
-- with the server's memory is taken again: its call is still being made.
local time = redis.call('TIME')
local lease = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], string.format('%.0f', time[1] * 1000000 + time[2] + lease), ARGV[1])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(lease / 1000)))
return 0
