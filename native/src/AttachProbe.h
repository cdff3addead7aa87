// Whether the kernel has a way of attaching at all, found out without attaching anything.
#pragma once

/** fentry and fexit. */
bool CanAttachTracing();
/** kprobe.multi: a kernel may know it and be built without (CONFIG_FPROBE). */
bool CanAttachKprobeMulti();
