// floor N AT_ONCE PROGRAM [ARGUMENT ...] runs a program N times, so many at once:
// the least that anything which starts programs can take.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int n = atoi(argv[1]), most = atoi(argv[2]), running = 0, done = 0, status;
  for (; done < n; done++, running--) {
    for (; running < most && done + running < n; running++) {
      pid_t pid;
      if (posix_spawn(&pid, argv[3], 0, 0, argv + 3, environ)) return 1;
    }
    if (waitpid(-1, &status, 0) < 0 || status) return 1;
  }
  return 0;
}
