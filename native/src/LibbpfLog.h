// Collects what libbpf says during one operation. libbpf has one print function per process; ours hands each
// message to the collector of the thread that it was said on, and drops it where there is none.
#pragma once

#include <string>

class LibbpfLog {
  public:
    /** Collects on the calling thread until destroyed. Collectors nest; the innermost one gets the words. */
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;

    /** The messages in one line, without verifier logs. */
    std::string Words() const;
    /** The end of the last verifier log that libbpf quoted, or empty. */
    std::string VerifierLog() const;
    /** The program that libbpf says was refused, or empty. */
    std::string RefusedProgram() const;

    void Append(std::string text);

  private:
    LibbpfLog* outer_;
    std::string text_;
    std::string verifierLog_;
};

/** The last 4 KiB of a verifier log, from the beginning of a line. */
std::string LogTail(const std::string& log);
