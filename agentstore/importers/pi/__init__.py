"""Pi, and the agents that are made of it: OMP (Oh My Pi), OpenClaw, Prime Agent.

A session is a file of JSON lines, ``~/.pi/agent/sessions/--<cwd>--/<time>_<id>.jsonl``. The first line is its header,
the others are entries: messages, and what happened between them. What is known, and from where ([m] counted on real
files, [r] seen in what Pi 0.73.1 wrote here, [s] read in the agents' or agentsview's public source):

* entries have ``id`` and ``parentId``, and so form a tree: who goes back and asks otherwise adds a branch. All branches
  were said and paid for, so all entries count, in the order of the file [s]. Version 1 has no ids; it is read by its
  order [m: the one real file that Pi's own tests have, 1,019 lines]
* lines are appended. Two things write a file anew: the migration of an old version, and OMP's first line, which has the
  title in a slot of fixed width [s]: a state notices, and the file is read again
* ``/fork`` and branches that become files copy the entries with their ids and times, and name the file of the parent in
  ``parentSession`` [r] (older ones in ``branchedFrom`` [s]). So a message is known by its entry's id and time
* ``usage {input, output, cacheRead, cacheWrite}``: input is without the cache, output has the reasoning inside [r]
* OMP keeps subagents in a folder named as the file of the session that asked for them [s]
"""
