-- Makes the consumer group of every stream, from the first entry on; those that are there stay.
for _, key in ipairs(KEYS) do
  redis.pcall('XGROUP', 'CREATE', key, ARGV[1], '0', 'MKSTREAM')
end
return 0
