/*
 * What holds for a whole process.
 */
#ifndef LIB_BASE_PROC_H
#define LIB_BASE_PROC_H

/*
 * No core file of this process and of those it starts: with a key or people's
 * data in memory, a crash must not write it to disk, however it was started.
 * Nor is one handed to a program that collects them, which a limit does not
 * prevent, and no other process of the same account can look into this one.
 */
void proc_no_core(void);

#endif
