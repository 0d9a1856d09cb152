#!/bin/sh
# Import what the hook's input names, in a session of its own, so that the agent neither waits for it nor ends it.
# At SessionEnd that is the transcript of the session; at SessionStart the folder with the project's other ones.
# Nothing is printed: at SessionStart the agent would read it.
command -v agentstore >/dev/null 2>&1 || exit 0
input=$(cat)

field() { # the text of a field; a path with an escape in it is left to the next start
  printf '%s' "$input" | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"\\\\]*\)\".*/\1/p" | head -n 1
}

path=$(field transcript_path)
case "$path" in /*) ;; *) exit 0 ;; esac
if [ "$(field hook_event_name)" = SessionStart ]; then
  path=${path%/*}
fi
[ -e "$path" ] || exit 0

if command -v setsid >/dev/null 2>&1; then
  setsid agentstore import --json -- "$path" >/dev/null 2>&1 </dev/null &
else
  nohup agentstore import --json -- "$path" >/dev/null 2>&1 </dev/null &
fi
exit 0
