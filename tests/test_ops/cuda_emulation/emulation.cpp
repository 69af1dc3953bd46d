// Scheduler of the emulated threads.
#include "cuda_runtime.h"

#include <setjmp.h>
#include <ucontext.h>

#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace emulation {

Index thread, block, block_size, grid_size;

namespace {

constexpr std::size_t kStack = 64 << 10;
constexpr unsigned kWarp = 32;

// Made once, with a stack from ucontext; the jumps after that cost no system call. It runs one thread of each block.
struct Coroutine {
  ucontext_t context;
  jmp_buf place;
  std::unique_ptr<char[]> stack{new char[kStack]};
  unsigned exchanges = 0;
  bool started = false;
};

// Two rounds of values: a lane can be one exchange ahead of a lane that has not yet read the last.
struct Warp {
  uint64_t values[2][kWarp];
  std::vector<unsigned> waiting;
};

std::deque<Coroutine> coroutines;
std::vector<Warp> warps;
std::vector<unsigned> ready, at_barrier;
jmp_buf scheduler;
unsigned alive = 0;
const std::function<void()>* work = nullptr;
std::mt19937 draw(0);

void fail(const char* reason) {
  std::fprintf(stderr, "emulation: %s in block %u, thread %u\n", reason, block.x, thread.x);
  std::abort();
}

void sleep() {
  if (_setjmp(coroutines[thread.x].place) == 0) _longjmp(scheduler, 1);
}

void start() {
  while (true) {
    (*work)();
    --alive;
    sleep();
  }
}

void resume(Coroutine& coroutine) {
  if (_setjmp(scheduler) != 0) return;
  if (coroutine.started) _longjmp(coroutine.place, 1);
  coroutine.started = true;
  getcontext(&coroutine.context);
  coroutine.context.uc_stack.ss_sp = coroutine.stack.get();
  coroutine.context.uc_stack.ss_size = kStack;
  coroutine.context.uc_link = nullptr;
  makecontext(&coroutine.context, start, 0);
  setcontext(&coroutine.context);
}

void wake(std::vector<unsigned>& waiting) {
  ready.insert(ready.end(), waiting.begin(), waiting.end());
  waiting.clear();
}

void run_block() {
  alive = block_size.x;
  for (unsigned i = 0; i < alive; ++i) {
    coroutines[i].exchanges = 0;
    ready.push_back(i);
  }
  while (alive > 0) {
    if (ready.empty()) fail("threads wait for others that have ended or wait elsewhere");
    std::swap(ready[draw() % ready.size()], ready.back());
    thread.x = ready.back();
    ready.pop_back();
    resume(coroutines[thread.x]);
  }
}

}  // namespace

void run(unsigned blocks, unsigned threads, const std::function<void()>& kernel) {
  if (threads % kWarp != 0) fail("blocks of whole warps are supported, not this size");
  work = &kernel;
  block_size.x = threads;
  grid_size.x = blocks;
  while (coroutines.size() < threads) coroutines.emplace_back();
  warps.resize(threads / kWarp);
  for (block.x = 0; block.x < blocks; ++block.x) run_block();
}

void wait_for_block() {
  if (at_barrier.size() + 1 == block_size.x) return wake(at_barrier);
  at_barrier.push_back(thread.x);
  sleep();
}

void give_way() {
  if (draw() % 4 != 0) return;
  ready.push_back(thread.x);
  sleep();
}

const uint64_t* exchange(uint64_t value) {
  Warp& warp = warps[thread.x / kWarp];
  const unsigned round = coroutines[thread.x].exchanges++ & 1;
  warp.values[round][thread.x % kWarp] = value;
  if (warp.waiting.size() + 1 == kWarp) {
    wake(warp.waiting);
  } else {
    warp.waiting.push_back(thread.x);
    sleep();
  }
  return warp.values[round];
}

}  // namespace emulation
