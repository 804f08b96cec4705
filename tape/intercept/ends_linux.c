/*
 * Ends of commands, one after the other. A shim tells of the end of its program before it ends
 * itself, so that two which get their word at once could change places, and the subject see another
 * order than that of the tape. So the next one gets it when the one before is really over.
 */
#include "tape/intercept/server.h"

#include "base/monotonic.h"

/* Who is stopped, or gets no processor, does not keep the others waiting. */
#define LEAVE_NS UINT64_C(50000000)

static uint64_t leaving_ns(const struct server *s)
{
	uint64_t now_ns = monotonic_ns();

	return now_ns > s->leaving_since_ns ? now_ns - s->leaving_since_ns : 0;
}

int ends_go_on(struct server *s, struct error *err)
{
	const struct wire_reply end = {.kind = WIRE_END};
	int r = 0;

	while (r == 0 && s->ends && (!s->leaving || leaving_ns(s) >= LEAVE_NS)) {
		struct peer *peer = s->ends;

		s->ends = peer->next_end;
		s->leaving = peer;
		s->leaving_since_ns = monotonic_ns();
		r = conn_reply(peer->conn, &end, NULL, 0, err);
	}
	return r;
}

int ends_add(struct peer *peer, struct error *err)
{
	struct peer **at = &peer->server->ends;

	while (*at)
		at = &(*at)->next_end;
	peer->next_end = NULL;
	*at = peer;
	return ends_go_on(peer->server, err);
}

void ends_give_up(const struct peer *peer)
{
	struct peer **at = &peer->server->ends;

	while (*at && *at != peer)
		at = &(*at)->next_end;
	if (*at)
		*at = peer->next_end;
}

void ends_over(const struct peer *peer)
{
	if (peer->server->leaving == peer)
		peer->server->leaving = NULL;
}

int ends_patience_us(const struct server *s)
{
	uint64_t passed_ns;

	if (!s->ends || !s->leaving)
		return -1;
	passed_ns = leaving_ns(s);
	return passed_ns < LEAVE_NS ? (int)((LEAVE_NS - passed_ns) / 1000) + 1 : 0;
}
