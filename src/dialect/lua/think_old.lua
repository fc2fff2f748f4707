-- The wire of think-queue 1 and 2.
-- Put in front of the scripts. Says which way the list goes, which keys there are beside the four that every wire has, and
-- who counts an attempt.
-- Counterpart  think\queue\connector\Redis of think-queue 1 and 2, whose commands one by one lose a job where they are cut off.

local take, append, put_back = 'LPOP', 'RPUSH', 'LPUSH'
local notify, timeout, failed = nil, nil, nil
local counts_at_reserve = false
-- Of due jobs, the one that is due first goes first.
local newest_first = false
