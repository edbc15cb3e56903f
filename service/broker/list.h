/* Doubly linked lists whose links live in their items.
 *
 * A head is a link too. A link that is in no list points to itself, so removing it twice does no harm. */
#ifndef SHADOWPIPE_BROKER_LIST_H
#define SHADOWPIPE_BROKER_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *link)
{
    link->next = link->previous = link;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_remove(struct list *link)
{
    link->next->previous = link->previous;
    link->previous->next = link->next;
    list_init(link);
}

/* Behind `place`. */
static inline void list_insert(struct list *place, struct list *link)
{
    link->previous = place;
    link->next = place->next;
    place->next->previous = link;
    place->next = link;
}

static inline void list_append(struct list *head, struct list *link)
{
    list_insert(head->previous, link);
}

static inline size_t list_count(const struct list *head)
{
    size_t count = 0;
    for (const struct list *link = head->next; link != head; link = link->next)
        count++;
    return count;
}

#define LIST_ITEM(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* NULL when the list is empty. */
#define LIST_FIRST(head, type, member) (list_is_empty(head) ? NULL : LIST_ITEM((head)->next, type, member))

/* The body may remove `item` itself, and no other. */
#define LIST_EACH(type, item, head, member)                              \
    for (type *item = LIST_ITEM((head)->next, type, member),             \
              *item##_next = LIST_ITEM(item->member.next, type, member); \
         &item->member != (head);                                        \
         item = item##_next, item##_next = LIST_ITEM(item->member.next, type, member))

#endif
