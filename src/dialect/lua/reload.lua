-- Puts back what was moved aside, the oldest first, behind what waits. Bytes and attempts stay as they are.
-- KEYS  1 the list it stands in, 2 ready list   ARGV  1 how many at most   Answer  how many it were
-- Counterpart  reload of Hyperf\AsyncQueue\Driver\RedisDriver.

local moved, most = 0, tonumber(ARGV[1])
while moved < most and redis.call('RPOPLPUSH', KEYS[1], KEYS[2]) do
  moved = moved + 1
end
return moved
