#!/bin/sh
# First process of the virtual machine once the host's files are its root: runs the command, hands over its
# output and exit code, powers off. As process 1 the shell also reaps what the command leaves behind.
own=/run/nettrace-vm
PATH=$own/bin
. "$own/control/settings"
cd "$repo" || exit

# The two ports of run.sh appear a moment after the driver. Each can be opened only once, so the command
# writes into pipes.
while [ ! -c /dev/vport0p1 ] || [ ! -c /dev/vport0p2 ]; do sleep 0.05; done
mkfifo "$own/stdout" "$own/stderr"
cat <"$own/stdout" >/dev/vport0p1 &
stdout=$!
cat <"$own/stderr" >/dev/vport0p2 &
stderr=$!
setsid sh "$own/control/command" </dev/null >"$own/stdout" 2>"$own/stderr" &
wait $!
code=$?

# A process that the command left behind may hold the pipes open: it is not waited for longer than this.
tries=0
while kill -0 "$stdout" "$stderr" 2>/dev/null && [ $tries -lt 20 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
echo "$code" >"$own/control/exit"
sync
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
