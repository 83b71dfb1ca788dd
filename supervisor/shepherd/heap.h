/*
 * The heap of a process that forks many and goes on itself.
 *
 * What was freed between other things is what the allocator gives out first: a
 * forked process writes all over its parent's pages then, and has to copy each
 * of them.  With these holes closed, what it allocates lies together, behind
 * all that its parent has, on pages that nothing was ever on.
 */
#ifndef SUPERVISOR_SHEPHERD_HEAP_H
#define SUPERVISOR_SHEPHERD_HEAP_H

/*
 * Whatever is free now is not given out any more, but for the heap's end, until
 * heap_open_holes(): call that before allocating much in the parent.
 * Without effect where the allocator is not that of the GNU C library; what is
 * saved is copies of pages, nothing else depends on it.  Whatever an allocator
 * says, no more is taken than the heap has.
 */
void heap_close_holes(void);
void heap_open_holes(void);

#endif
