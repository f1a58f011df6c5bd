// measure PROGRAM [ARGUMENT ...] runs a program with its output to /dev/null and
// writes to file 3: wall ms, CPU ms of it and its children, MiB of the largest of
// them, and the exit status. It is no Go program because a child counts the memory
// of what it was forked from as its own.
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double ms(struct timeval t) { return t.tv_sec * 1e3 + t.tv_usec / 1e3; }

int main(int argc, char **argv) {
  struct timespec from, to;
  struct rusage usage;
  posix_spawn_file_actions_t files;
  pid_t pid;
  int status;
  if (argc < 2) return 2;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclose(&files, 3);
  clock_gettime(CLOCK_MONOTONIC, &from);
  if (posix_spawnp(&pid, argv[1], &files, 0, argv + 1, environ) || wait4(pid, &status, 0, &usage) < 0) return 1;
  clock_gettime(CLOCK_MONOTONIC, &to);
  dprintf(3, "%f %f %f %d\n", (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) / 1e6,
          ms(usage.ru_utime) + ms(usage.ru_stime), usage.ru_maxrss / 1024.0, status);
  return 0;
}
