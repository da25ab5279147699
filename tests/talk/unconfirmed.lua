-- copies that the server never confirmed are not counted
local c = mt.connect(socket)
assert(c, "no connection")
assert(mt.conninfo(c, "mail.example.org", "192.0.2.7") == nil)
assert(mt.helo(c, "mail.example.org") == nil)
for i = 1, 8 do
	assert(mt.mailfrom(c, "<author@example.org>") == nil)
	assert(mt.rcptto(c, "<anna@example.net>") == nil)
	assert(mt.header(c, "From", "author@example.org") == nil)
	assert(mt.header(c, "Message-ID", "<1@example.org>") == nil)
	assert(mt.eoh(c) == nil)
	assert(mt.bodystring(c, "A text of more than sixteen bytes.\r\n") == nil)
	mt.macro(c, SMFIC_RCPT, "i", "Q" .. i)
	assert(mt.eom(c) == nil)
	assert(mt.getreply(c) == SMFIR_ACCEPT, "copy " .. i .. " was withheld")
end
mt.disconnect(c)
