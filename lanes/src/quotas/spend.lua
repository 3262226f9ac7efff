-- Spends from quotas. KEYS: when each is full again. ARGV: for each, what the request costs and what the bucket holds,
-- both as microseconds. Answers how long to wait in microseconds (0: spent), then for each how long until it is full.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local wait, full = 0, {}
for i = 1, #KEYS do
  full[i] = math.max(now, tonumber(redis.call('GET', KEYS[i]) or 0))
  wait = math.max(wait, full[i] + tonumber(ARGV[2 * i - 1]) - tonumber(ARGV[2 * i]) - now)
end

local answer = {wait}
for i = 1, #KEYS do
  if wait == 0 then
    full[i] = full[i] + tonumber(ARGV[2 * i - 1])
    if full[i] > now then
      redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000))
    end
  end
  answer[i + 1] = full[i] - now
end
return answer
