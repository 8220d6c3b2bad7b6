# Runs one daemon and takes it down when the test process is gone, however that went:
# its end of our standard input closes. Then the daemon's folder is removed.
#
#   reaper.sh SIGNAL LOG FOLDER PROGRAM ARGUMENT...
#
# Says the daemon's pid, and later `exit STATUS`. A file .keep in the folder saves it.
trap '' INT TERM HUP PIPE
signal=$1 log=$2 folder=$3
shift 3

# bash comments on killed children; nobody reads that.
exec 3<&0 2>/dev/null
env --default-signal=INT,QUIT,TERM,HUP,PIPE "$@" </dev/null >>"$log" 2>&1 3<&- &
daemon=$!
echo "$daemon"
cat <&3 >/dev/null &
guard=$!

wait -n -p ended "$daemon" "$guard"
status=$?
if [ "$ended" = "$guard" ]; then
    kill -s "$signal" "$daemon"
    timeout 10 tail --pid="$daemon" -f /dev/null || kill -s KILL "$daemon"
    wait "$daemon"
    status=$?
    echo "exit $status"
else
    echo "exit $status"
    wait "$guard"
fi

# The last processes of a killed namespace may hold the folder for a moment.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ ! -e "$folder/.keep" ] || exit 0
    rm -rf --one-file-system "$folder" 2>/dev/null && exit 0
    sleep 0.3
done
