-- Moves the expiry of reservations that are still held; their tokens stay. Never back: a call that was held up on its
-- way must not shorten what a later one has given.
--
-- KEYS  1 reserved
-- ARGV  1 new expiry, then two for each reservation: reserved bytes, token
-- Answer  1 or 0 for each
-- Counterpart  none: Laravel renews nothing.

local step, answers = 1048576, {}
for i = 2, #ARGV, 2 do
  local member, number = ARGV[i], tonumber(ARGV[i + 1])
  local score = tonumber(redis.call('ZSCORE', KEYS[1], member) or '0')
  if (score - math.floor(score)) * step == number then
    if tonumber(ARGV[1]) > math.floor(score) then
      -- Removed first: that, a full Redis does, and then it lets the script go on.
      redis.call('ZREM', KEYS[1], member)
      redis.call('ZADD', KEYS[1], string.format('%.17g', tonumber(ARGV[1]) + number / step), member)
    end
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = 0
  end
end
return answers
