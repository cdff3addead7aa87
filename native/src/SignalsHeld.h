// Keeps signals from the thread that made it, as long as it lives: the verifier gives up with EAGAIN where one is
// pending (do_check() in kernel/bpf/verifier.c), libbpf after five attempts, and a profiler sends one each millisecond.
#pragma once

#include <pthread.h>
#include <signal.h>

class SignalsHeld {
  public:
    SignalsHeld() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;
    ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
};
