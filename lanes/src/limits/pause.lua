-- Closes a gate. KEYS: until when it is closed. ARGV: for how long, in microseconds. A longer pause stays.
local time = redis.call('TIME')
local closed = time[1] * 1000000 + time[2] + ARGV[1]
if closed > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', closed), 'PX', string.format('%.0f', math.ceil(ARGV[1] / 1000) + 1))
end
return 0
