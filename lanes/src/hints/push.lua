-- Adds hints. KEYS: every stream. ARGV: the bound of a stream; then per hint the two streams it may go to
-- (positions in KEYS), its run and its tenant. All hints of one tenant and lane in one call go to the shorter
-- of the two, so that nobody waits behind another tenant's flood while there is a quieter stream.
local chosen = {}
for i = 2, #ARGV, 4 do
  local one, other = KEYS[tonumber(ARGV[i])], KEYS[tonumber(ARGV[i + 1])]
  local whose = one .. ARGV[i + 3]
  local into = chosen[whose]
  if not into then
    into = one
    if redis.call('XLEN', other) < redis.call('XLEN', one) then into = other end
    chosen[whose] = into
  end
  redis.call('XADD', into, 'MAXLEN', '~', ARGV[1], '*', 'r', ARGV[i + 2], 't', ARGV[i + 3])
end
return 0
