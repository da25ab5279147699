-- confirmed copies end in discard, and a new recipient still gets the first copy
local function send(c, id, rcpts)
	assert(mt.mailfrom(c, "<author@example.org>") == nil)
	for _, rcpt in ipairs(rcpts) do
		assert(mt.rcptto(c, rcpt) == nil)
	end
	assert(mt.header(c, "From", "author@example.org") == nil)
	assert(mt.header(c, "Date", "Tue, 6 Dec 2005 09:19:58 +0000") == nil)
	assert(mt.header(c, "Subject", "Hello") == nil)
	assert(mt.header(c, "Message-ID", "<1@example.org>") == nil)
	assert(mt.eoh(c) == nil)
	assert(mt.bodystring(c, "A text of more than sixteen bytes.\r\n") == nil)
	mt.macro(c, SMFIC_RCPT, "i", id)
	assert(mt.eom(c) == nil)
	return mt.getreply(c)
end
-- the server's log says that it queued the mail; Quell looks at least once a second
local function confirm(id)
	local f = io.open(log, "a")
	f:write("Dec  6 09:20:03 mx postfix/qmgr[7]: " .. id .. ": from=<author@example.org>, size=300, nrcpt=1 (queue active)\n")
	f:close()
	mt.sleep(2)
end
local c = mt.connect(socket)
assert(c, "no connection")
assert(mt.conninfo(c, "mail.example.org", "192.0.2.7") == nil)
assert(mt.helo(c, "mail.example.org") == nil)
for i = 1, 3 do
	local id = "5F1A2" .. i
	assert(send(c, id, { "<anna@example.net>" }) == SMFIR_ACCEPT, "copy " .. i .. " did not pass")
	confirm(id)
end
assert(send(c, "5F1A24", { "<anna@example.net>" }) == SMFIR_DISCARD, "the fourth copy was not withheld")
assert(send(c, "5F1A25", { "<anna@example.net>", "<bob@example.net>" }) == SMFIR_ACCEPT, "bob's first copy")
assert(mt.eom_check(c, MT_RCPTDELETE, "<anna@example.net>"), "anna's surplus was delivered")
assert(not mt.eom_check(c, MT_RCPTDELETE, "<bob@example.net>"), "bob's first copy was taken away")
mt.disconnect(c)
