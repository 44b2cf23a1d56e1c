/* The system calls the runtime may make. */
#ifndef CMCP_SECCOMP_H
#define CMCP_SECCOMP_H

/*
 * Installs the filter on the calling thread; it stays across execve and in every thread made later.
 * Needs no_new_privs to be set. Returns 0, or -1 with errno.
 */
int install_runtime_filter(void);

#endif
