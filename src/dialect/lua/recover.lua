-- The reservations that stand under one token: what a reserve whose answer was lost did take.
--
-- KEYS  1 reserved
-- ARGV  1 token
-- Answer  {reserved bytes, offset, length, attempts} for each, the earliest first
-- Counterpart  none: there such jobs wait for retry_after, an attempt poorer.

local step, number, found = 1048576, tonumber(ARGV[1]), {}
local entries = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #entries, 2 do
  local score = tonumber(entries[i + 1])
  if (score - math.floor(score)) * step == number then
    local at, length, count = locate(entries[i])
    found[#found + 1] = {entries[i], at, length, count}
  end
end
return found
