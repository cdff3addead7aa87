// The right to read one ring buffer, whichever object its map was opened through.
#pragma once

#include <cstdint>
#include <string>

/** Held by one reader of a map in this process at a time: two that move one consumer position tear each other's
 * records. */
class RingClaim {
  public:
    /** Any thread. Throws Failure EBUSY while there is another. */
    RingClaim(int mapFd, const std::string& name);
    ~RingClaim();
    RingClaim(const RingClaim&) = delete;
    RingClaim& operator=(const RingClaim&) = delete;

  private:
    uint32_t mapId_;
};
