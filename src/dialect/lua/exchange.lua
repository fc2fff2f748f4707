-- Settles what is done and reserves what is next, in one step.
--
-- KEYS  1 ready list, 2 reserved, 3 delayed, 4 quarantine; those after them are named by the wire in front of this
-- ARGV  1 now, 2 expiry of new reservations, 3 token of new reservations, 4 jobs wanted, 5 bytes wanted at most,
--       6 due jobs to move at most, per source, 7 "1" to move expired reservations, 8 wake-up tokens in hand,
--       9 largest payload, 10 largest quarantine, 11 second on Redis' clock after which nothing is reserved, then five
--       for each settlement: verb, reserved bytes, token, Unix second of a release, bytes that are written (of a release, a
--       hand-back, a quarantine; the reserved ones where that is empty)
-- Answer  {1 or 0 for each settlement, {body, offset, length, attempts} for each job, {size, reason} for each payload
--       set aside, next due score or false, jobs left on the list,
--       payloads for which the quarantine had no room, second on Redis' clock, 1 if it came too late to reserve}
-- Counterpart  pop, release and migrateExpiredJobs of Illuminate\Queue\LuaScripts, and the ZREM of a deletion.
-- Whatever is moved is removed first, so that a Redis out of memory still drains.

local ready, reserved, delayed, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, expires, token = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local want, bytes_left, bound = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local woken, largest, room = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local step = 1048576

-- Nobody waits any more for the answer of a call that was held up on its way: jobs that it reserved would be nobody's.
local clock = redis.pcall('TIME')
local time = tonumber(clock[1] or '0')
local late = want > 0 and time > tonumber(ARGV[11])
if late then
  want = 0
end

local function held(member, number)
  local score = redis.call('ZSCORE', reserved, member)
  if not score then
    return false
  end
  score = tonumber(score)
  return (score - math.floor(score)) * step == number
end

-- A key of another type ends the call here, before anything is written.
local left = redis.call('LLEN', ready)
redis.call('ZCARD', reserved)
redis.call('ZCARD', delayed)
for index = 4, #KEYS do
  redis.call('LLEN', KEYS[index])
end

-- One more job is ready, and somebody may be waiting for it.
local function wake()
  if notify then
    redis.call('RPUSH', notify, 1)
  end
end

local jobs, aside, unplaced = {}, {}, 0
local function set_aside(body)
  if redis.call('LLEN', quarantine) >= room then
    redis.call(append, ready, body)
    left, unplaced = left + 1, unplaced + 1
    return false
  end
  redis.call('RPUSH', quarantine, body)
  return true
end

-- 1. Settle.
local settled, back = {}, {}
for i = 12, #ARGV, 5 do
  local verb, member, number, due = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  local body = ARGV[i + 4] ~= '' and ARGV[i + 4] or member
  if held(member, number) then
    redis.call('ZREM', reserved, member)
    if verb == 'release' then
      -- An equal payload may be there already, and two jobs must not share a member: this one waits for the same second
      -- among the reserved, as what comes back from there as this body; or is ready at once where there is no such place.
      local resting = counts_at_reserve and body or body ~= member and member
      local placed = redis.call('ZADD', delayed, 'NX', due, body) == 1
        or resting and ARGV[7] == '1' and not timeout and redis.call('ZADD', reserved, 'NX', due, resting) == 1
      if not placed then
        redis.call(append, ready, body)
        wake()
        left = left + 1
      end
    elseif verb == 'back' then
      back[#back + 1] = body
    elseif verb == 'fail' and failed then
      redis.call(append, failed, body)
    elseif verb == 'quarantine' and not set_aside(body) then
      -- The token of this job went with its reserve.
      wake()
    end
    settled[#settled + 1] = 1
  else
    settled[#settled + 1] = 0
  end
end
for i = #back, 1, -1 do
  redis.call(put_back, ready, back[i])
  wake()
end
left = left + #back

local function earliest(source)
  return redis.call('ZRANGE', source, 0, 0, 'WITHSCORES')[2]
end

-- What an expired reservation comes back as; nothing where it does not.
local function come_back(member)
  if timeout then
    redis.call(append, timeout, member)
    return nil
  end
  if counts_at_reserve then
    return member
  end
  local at, length, count = locate(member, 1e9)
  if at ~= nil then
    return counted(member, at, length, count + 1)
  end
  if set_aside(member) then
    aside[#aside + 1] = {#member, length}
  end
  return nil
end

-- Takes what is due off a set, in the order in which it is to run.
local function take_due(source)
  if not newest_first then
    local due = redis.call('ZRANGEBYSCORE', source, '-inf', now, 'LIMIT', 0, bound)
    redis.call('ZREMRANGEBYRANK', source, 0, #due - 1)
    return due
  end
  local due = redis.call('ZREVRANGEBYSCORE', source, now, '-inf', 'LIMIT', 0, bound)
  local all = redis.call('ZCOUNT', source, '-inf', now)
  redis.call('ZREMRANGEBYRANK', source, all - #due, all - 1)
  return due
end

-- Moves what is due; answers when the rest is.
local function move(source)
  local first = earliest(source)
  if not first or tonumber(first) > tonumber(now) then
    return first
  end
  local due = take_due(source)
  for i = 1, #due do
    local body = due[i]
    if source == reserved then
      body = come_back(body)
    end
    if body then
      redis.call(append, ready, body)
      wake()
      left = left + 1
    end
  end
  return earliest(source)
end

-- 2. Move, the delayed jobs first. A worker that may move nothing is not told of what is due either.
local look = want > 0 and move or earliest
local delayed_due = bound > 0 and look(delayed) or nil
local reserved_due = bound > 0 and ARGV[7] == '1' and look(reserved) or nil

-- 3. Take. The token in the fraction of the score is exact: 31 bits of seconds and 20 of fraction.
local score = string.format('%.17g', expires + token / step)
-- Never past the end: what goes back to the tail must not come round again.
local pops = want > 0 and math.min(want + bound, left) or 0
while #jobs < want and bytes_left > 0 and pops > 0 do
  local body = redis.call(take, ready)
  pops, left = pops - 1, left - 1
  local at, length, count
  if #body > largest then
    length = 'larger than --max-payload'
  else
    at, length, count = locate(body, 1e9)
  end
  if at == nil then
    if set_aside(body) then
      aside[#aside + 1] = {#body, length}
    end
  else
    local member, attempt = body, count
    if counts_at_reserve then
      attempt = count + 1
      member = counted(body, at, length, attempt)
    end
    local added = redis.pcall('ZADD', reserved, 'NX', score, member)
    if type(added) == 'table' then
      redis.call(put_back, ready, body)
      return redis.error_reply(added.err)
    elseif added == 0 then
      -- An equal payload is being worked: two jobs must not share a member.
      redis.call(append, ready, body)
      left = left + 1
    else
      jobs[#jobs + 1] = {body, at, length, attempt}
      bytes_left = bytes_left - #body
    end
  end
end

-- 4. One wake-up token for each job taken. On an empty list a token is surplus and would only wake somebody for nothing.
local spare = woken - #jobs - #aside
if not notify then
elseif spare < 0 then
  -- As LPOP with a count, which Redis before 6.2 does not know.
  redis.call('LTRIM', notify, -spare, -1)
elseif left > 0 then
  for _ = 1, spare do
    -- In a full Redis this may be the first write, and is refused: the poll is there for that.
    redis.pcall('LPUSH', notify, 1)
  end
end

-- 5. When there is something to do next.
local next_due = delayed_due
local function sooner(due)
  if due and (not next_due or tonumber(due) < tonumber(next_due)) then
    next_due = due
  end
end
sooner(reserved_due)
if #jobs > 0 and bound > 0 and ARGV[7] == '1' then
  sooner(score)
end
return {settled, jobs, aside, next_due or false, left, unplaced, time, late and 1 or 0}
