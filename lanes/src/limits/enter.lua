-- Enters a gate. KEYS: the places taken (a sorted set of leases by their end), when the next call is due, until
-- when the gate is closed. ARGV: places, interval and burst in microseconds (interval 0: no rate), the lease's
-- name and its length in microseconds. Answers {0, 0} when inside, {1, wait in microseconds}, or {2, 0} when full.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(number) return string.format('%.0f', number) end

local closed = tonumber(redis.call('GET', KEYS[3]) or 0)
if closed > now then return {1, closed - now} end

local interval, ahead = tonumber(ARGV[2]), tonumber(ARGV[3])
local due = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0))
if interval > 0 and due - ahead > now then return {1, due - ahead - now} end

local places = tonumber(ARGV[1])
if places > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
  if redis.call('ZCARD', KEYS[1]) >= places then return {2, 0} end
  local lease = tonumber(ARGV[5])
  redis.call('ZADD', KEYS[1], text(now + lease), ARGV[4])
  redis.call('PEXPIRE', KEYS[1], text(math.ceil(lease / 1000)))
end
if interval > 0 then
  redis.call('SET', KEYS[2], text(due + interval), 'PX', text(math.ceil((due + interval - now) / 1000) + 1000))
end
return {0, 0}
