/* SPDX-License-Identifier: Apache-2.0
 *
 * list: an intrusive doubly linked ring. The links live in the owner's struct;
 * the list owns nothing. A node is initialised with list_init and may then be
 * removed any number of times.
 */
#ifndef QUELL_BASE_LIST_H
#define QUELL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l) { l->prev = l->next = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}
/* Puts node last. */
static inline void list_add(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}
/* The struct that holds the link. */
#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

#endif
