/* SPDX-License-Identifier: Apache-2.0
 *
 * post_text: a mail of the postal world as it lies in the mailbox. Postfix's lines
 * for SMTP, IIS' for the pickup folder, the fields of CDO (incident.md 1.3).
 */
#include "post.h"

#include <stdio.h>
#include <time.h>

static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

static void add_date(struct buf *out, const struct post_host *host, int64_t ms)
{
	int zone_min = host->is_zoneless ? 0 : host->zone_min;
	time_t seconds = (time_t)(ms / 1000 + (int64_t)zone_min * 60);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm))
		return;
	buf_addf(out, "%s, %2d %s %d %02d:%02d:%02d", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	int off = zone_min < 0 ? -zone_min : zone_min;
	if (!host->is_zoneless)
		buf_addf(out, " %c%02d%02d", zone_min < 0 ? '-' : '+', off / 60, off % 60);
	buf_add_str(out, "\r\n");
}

static void add_smtp_line(const struct post *p, const struct post_passage *line, struct buf *out)
{
	const struct post_host *by = &p->hosts[line->by], *from = &p->hosts[line->from];
	buf_addf(out, "Received: from %s (%s [%s])\r\n\tby %s (Postfix) with ESMTP id %07X", from->helo,
		 from->ptr[0] ? from->ptr : "unknown", from->ip, by->name, line->serial * 2654435761u >> 4);
	if (line->for_member != POST_NONE) {
		char address[128];
		buf_addf(out, "\r\n\tfor <%s>", post_address(p, line->for_member, address));
	}
	buf_add_str(out, "; ");
	add_date(out, by, line->time_ms);
}

static void add_line(const struct post *p, const struct post_passage *line, struct buf *out)
{
	const struct post_host *by = &p->hosts[line->by];
	switch (line->kind) {
	case POST_SMTP:
		add_smtp_line(p, line, out);
		return;
	case POST_PICKUP:
		buf_addf(out, "Received: from mail pickup service by %s with Microsoft SMTPSVC;\r\n\t ",
			 by->name);
		break;
	case POST_LOCAL:
		buf_addf(out, "Received: by %s (Postfix, from userid 33)\r\n\tid %07X; ", by->name,
			 line->serial * 2654435761u >> 4);
		break;
	}
	add_date(out, by, line->time_ms);
}

static bool is_prefixed(const struct parcel *parcel, int member)
{
	return parcel->prefixed[member / 8] >> (member % 8) & 1;
}

static void add_members(const struct post *p, const struct parcel *parcel, struct buf *out)
{
	char address[128];
	for (int m = 0; m < p->member_count; m++)
		buf_addf(out, "%s<%s%s>", m == 0 ? "" : ",\r\n\t",
			 is_prefixed(parcel, m) ? "mspop3connector." : "", post_address(p, m, address));
}

static void add_to(const struct post *p, const struct parcel *parcel, struct buf *out)
{
	char address[128];
	buf_add_str(out, "To: ");
	if (p->to == POST_TO_ALL || p->to == POST_TO_ISP)
		add_members(p, parcel, out);
	else if (p->to == POST_TO_LIST)
		buf_addf(out, "<%s>", p->list);
	else if (parcel->appended == POST_NONE)
		buf_add_str(out, "undisclosed-recipients:;");
	else
		buf_add_str(out, "<undisclosed-recipients:>");
	if (p->to == POST_TO_ISP)
		buf_add_str(out, ",\r\n\t<subscriber@isp.example>");
	if (parcel->appended != POST_NONE)
		buf_addf(out, ",\r\n\t\"IMB Recipient 1\" <mspop3connector.%s>",
			 post_address(p, parcel->appended, address));
	buf_add_str(out, "\r\n");
}

static void add_connector_fields(const struct parcel *parcel, struct buf *out)
{
	int64_t ms = parcel->connector_ms + 60;
	uint64_t ft = (uint64_t)(ms + INT64_C(11644473600000)) * 10000;
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm))
		return;
	buf_add_str(out, "Content-Class: urn:content-classes:message\r\nImportance: normal\r\n"
			 "Priority: normal\r\nX-MimeOLE: Produced By Microsoft MimeOLE V6.00.3790.181\r\n");
	buf_addf(out, "X-OriginalArrivalTime: %02d %s %d %02d:%02d:%02d.%04d (UTC) FILETIME=[%08X:%08X]\r\n",
		 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (int)(ms % 1000), (unsigned)ft, (unsigned)(ft >> 32));
}

bool post_text(const struct post *p, const struct parcel *parcel, const char *recipient, struct buf *out)
{
	buf_reset(out);
	buf_addf(out, "Return-Path: <%s>\r\nDelivered-To: %s\r\n", p->from, recipient);
	for (int i = parcel->top; i != POST_NONE; i = p->passages[i].older)
		add_line(p, &p->passages[i], out);
	buf_addf(out, "From: \"The Publisher\" <%s>\r\n", p->from);
	add_to(p, parcel, out);
	buf_addf(out, "Subject: %s\r\nDate: ", p->subject);
	add_date(out, &p->hosts[parcel->date_host], parcel->date_ms);
	buf_addf(out, "Message-ID: <%s>\r\n", parcel->message_id);
	if (parcel->list_id[0])
		buf_addf(out, "List-Id: <%s>\r\nPrecedence: list\r\n", parcel->list_id);
	if (parcel->is_connector_made)
		add_connector_fields(parcel, out);
	buf_addf(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"us-ascii\"\r\n\r\n%s", p->body);
	return !out->is_over;
}
