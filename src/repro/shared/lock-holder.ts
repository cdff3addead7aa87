/**
 * A Python program: a TCP server on ADDRESS PORT that holds the lock of the connection that it accepts. Its recv() copies into a
 * page of userfaultfd(2), and the kernel waits inside of recv(), with the socket locked, for this program to provide the page;
 * SIGUSR1 makes it do so. In life the page comes from swap, or from a file on a slow disk. It prints `listening`, `accepted`,
 * `holding`, and at the end of the connection `received N`.
 */
export const LOCK_HOLDER = `
import ctypes, fcntl, mmap, os, signal, socket, struct, sys, threading

SYSCALLS = {'x86_64': 323, 'aarch64': 282}
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE = 0xc018aa3f, 0xc020aa00, 0xc020aa04
PAGE = mmap.PAGESIZE

libc = ctypes.CDLL(None, use_errno=True)
faults = libc.syscall(SYSCALLS[os.uname().machine], os.O_CLOEXEC)
if faults < 0:
    sys.exit('userfaultfd: ' + os.strerror(ctypes.get_errno()))
fcntl.ioctl(faults, UFFDIO_API, struct.pack('QQQ', 0xaa, 0, 0))
memory = mmap.mmap(-1, PAGE)
page = ctypes.addressof(ctypes.c_char.from_buffer(memory))
fcntl.ioctl(faults, UFFDIO_REGISTER, struct.pack('QQQQ', page, PAGE, 1, 0))

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
print('listening', flush=True)
connection, _ = listener.accept()
print('accepted', flush=True)
receive = lambda: libc.recv(connection.fileno(), ctypes.c_void_p(page), 1, 0)
receiver = threading.Thread(target=receive)
receiver.start()
os.read(faults, 32)
print('holding', flush=True)
signal.sigwait([signal.SIGUSR1])
fcntl.ioctl(faults, UFFDIO_ZEROPAGE, struct.pack('QQQq', page, PAGE, 0, 0))
receiver.join()
received = 1
while data := connection.recv(65536):
    received += len(data)
print('received', received, flush=True)
`;
