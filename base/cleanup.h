/*
 * Scope-bound ownership with the compiler's cleanup attribute. The helpers keep errno, because
 * they run between a failed call and the code that reports it.
 */
#ifndef SANDTAPE_BASE_CLEANUP_H
#define SANDTAPE_BASE_CLEANUP_H

void cleanup_free_fn(void *pointer_to_pointer);
void cleanup_close_fn(const int *fd);		/* ignores negative fds */
void cleanup_fclose_fn(void *pointer_to_file);	/* FILE **, ignores NULL */
void cleanup_closedir_fn(void *pointer_to_dir); /* DIR **, ignores NULL */

#define cleanup_free	 __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_close	 __attribute__((cleanup(cleanup_close_fn)))
#define cleanup_fclose	 __attribute__((cleanup(cleanup_fclose_fn)))
#define cleanup_closedir __attribute__((cleanup(cleanup_closedir_fn)))

/* Hands the resource out of its scope: returns the fd and leaves -1 behind. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Likewise for a pointer variable: `*ret_x = steal_ptr(&x);` */
#define steal_ptr(variable)                                                                        \
	({                                                                                         \
		__typeof__(*(variable)) taken_ = *(variable);                                      \
		*(variable) = NULL;                                                                \
		taken_;                                                                            \
	})

#endif
