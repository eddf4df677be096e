// The recording half of watch.cc, compiled into the program that it builds: the hooks that -fsanitize=thread calls
// before each load and store, here without ThreadSanitizer behind them. Between two marks it keeps, of each byte of the
// arena, when it was first written and last read, and writes that to watch.out: docs in watch.cc.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

struct WatchedByte {
  uint32_t first_write;  // 0: never
  uint32_t last_read;
};

static uint8_t* watched;
static std::vector<WatchedByte> watched_bytes;
static uint32_t watch_time;
static FILE* watch_out;

static void watch_access(void* address, size_t size, bool write) {
  const size_t offset = static_cast<size_t>(static_cast<uint8_t*>(address) - watched);
  if (offset >= watched_bytes.size()) return;  // also before the arena
  ++watch_time;
  for (size_t i = offset; i < offset + size && i < watched_bytes.size(); ++i) {
    uint32_t& time = write ? watched_bytes[i].first_write : watched_bytes[i].last_read;
    if (!write || time == 0) time = watch_time;
  }
}

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
#define WATCH_SIZE(n)                                                   \
  void __tsan_read##n(void* p) { watch_access(p, n, false); }           \
  void __tsan_write##n(void* p) { watch_access(p, n, true); }           \
  void __tsan_unaligned_read##n(void* p) { watch_access(p, n, false); } \
  void __tsan_unaligned_write##n(void* p) { watch_access(p, n, true); } \
  void __tsan_volatile_read##n(void* p) { watch_access(p, n, false); }  \
  void __tsan_volatile_write##n(void* p) { watch_access(p, n, true); }
WATCH_SIZE(1)
WATCH_SIZE(2)
WATCH_SIZE(4)
WATCH_SIZE(8)
WATCH_SIZE(16)
#undef WATCH_SIZE
void __tsan_read_range(void* p, unsigned long bytes) { watch_access(p, bytes, false); }
void __tsan_write_range(void* p, unsigned long bytes) { watch_access(p, bytes, true); }

// A library may copy in any order: as if all were written before the last byte is read.
void* watch_memcpy(void* to, const void* from, size_t bytes) {
  watch_access(to, bytes, true);
  watch_access(const_cast<void*>(from), bytes, false);
  return memcpy(to, from, bytes);
}
void* watch_memset(void* to, int value, size_t bytes) {
  watch_access(to, bytes, true);
  return memset(to, value, bytes);
}

void watch_mark(void*) {
  uint32_t count = 0;
  for (const WatchedByte& byte : watched_bytes) count += (byte.first_write | byte.last_read) != 0 ? 1 : 0;
  fwrite(&count, sizeof count, 1, watch_out);
  for (uint32_t i = 0; i < watched_bytes.size(); ++i) {
    WatchedByte& byte = watched_bytes[i];
    if ((byte.first_write | byte.last_read) == 0) continue;
    fwrite(&i, sizeof i, 1, watch_out);
    fwrite(&byte, sizeof byte, 1, watch_out);
    byte = {};
  }
  watch_time = 0;
}
}

struct WatchedModel {
  void (*invoke)(void*);
  size_t bytes;
};

// Inputs are 0xA5 as all else is: no kernel's order depends on them.
template <size_t kModels>
int watch_all(const WatchedModel (&models)[kModels]) {
  watch_out = fopen("watch.out", "wb");
  for (const WatchedModel& model : models) {
    watched = static_cast<uint8_t*>(aligned_alloc(64, (model.bytes + 63) / 64 * 64));
    memset(watched, 0xA5, model.bytes);
    watched_bytes.assign(model.bytes, {});
    model.invoke(watched);
    free(watched);
  }
  return fclose(watch_out);
}
