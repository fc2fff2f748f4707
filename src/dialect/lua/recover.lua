-- The reservations that stand under one token: what a reserve whose answer was lost did take.
--
-- KEYS  1 reserved
-- ARGV  1 the score that they were given: expiry and token
-- Answer  {reserved bytes, offset, length, attempts} for each
-- Counterpart  none: there such jobs wait for retry_after, an attempt poorer.

local found = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do
  -- One more than the largest that the exchange takes, for it was raised.
  local at, length, count = locate(member, 1e9 + 1)
  found[#found + 1] = {member, at, length, count}
end
return found
