#!/bin/sh
# Import what the hook's input names, in a session of its own, so that the agent neither waits for it nor ends it.
# At SessionEnd that is the transcript of the session with its subagents'; at SessionStart the folder with all others of
# the project. Nothing is printed: at SessionStart the agent would read it.
input=$(cat) # before all else: who writes it must not find the pipe closed
command -v agentstore >/dev/null 2>&1 || exit 0

field() { # the text of a field; one with an escape for what nobody types is left to the next start
  printf '%s' "$input" | LC_ALL=C sed -nE 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"(([^"\\]|\\["\\\/])*)".*/\1/p' |
    head -n 1 | LC_ALL=C sed -E 's/\\(.)/\1/g'
}

path=$(field transcript_path)
case "$path" in /*) ;; *) exit 0 ;; esac
if [ "$(field hook_event_name)" = SessionStart ]; then
  path=${path%/*}
fi
[ -e "$path" ] || exit 0
set -- import --json -- "$path"
if [ "$path" != "${path%.jsonl}" ] && [ -d "${path%.jsonl}" ]; then
  set -- "$@" "${path%.jsonl}"
fi

# Who ends the agent may end all that it started; a Mac has no setsid.
if command -v setsid >/dev/null 2>&1; then
  setsid agentstore "$@" >/dev/null 2>&1 </dev/null &
elif command -v perl >/dev/null 2>&1; then
  perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' agentstore "$@" >/dev/null 2>&1 </dev/null &
else
  nohup agentstore "$@" >/dev/null 2>&1 </dev/null &
fi
exit 0
