-- Puts back what was moved aside, the oldest first, behind what waits. Bytes and attempts stay as they are.
-- KEYS  1 the list it stands in, 2 ready list
-- ARGV  1 how many at most, 2 as long as the oldest is this one, where that matters   Answer  how many it were
-- Counterpart  reload of Hyperf\AsyncQueue\Driver\RedisDriver.

local moved, most, only = 0, tonumber(ARGV[1]), ARGV[2]
while
  moved < most
  and (not only or redis.call('LINDEX', KEYS[1], -1) == only)
  and redis.call('RPOPLPUSH', KEYS[1], KEYS[2])
do
  moved = moved + 1
end
return moved
