/*
 * The disks a site writes to, and whether there is room to take work.
 */
#ifndef LIB_CONF_SITE_DISK_H
#define LIB_CONF_SITE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"

struct site_disk {
	const char *name;    /* home, spool, memory */
	char path[4096];     /* the folder looked at */
	int64_t free_bytes;  /* for this account; -1: cannot be seen */
	int64_t inodes_free; /* -1: the file system does not count them */
	bool is_full;
	char need[160]; /* when it is: "12 MB are free, 1024 MB must stay" */
};

/*
 * home: tables, jobs, models, mailboxes; spool: uploads; memory: small
 * objects.  Full is: less than [fcgi] upload_keep_free_mb (memory: 16 MB at
 * most), or no free inode.  What cannot be seen counts as full and says so.
 */
#define SITE_DISKS 3
void site_disks(const struct site_conf *, struct site_disk out[SITE_DISKS]);

/* 0, or ERR_BUSY naming the first full one, what is free and what must be. */
int site_disk_check(const struct site_conf *);

#endif
