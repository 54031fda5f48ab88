/**
 * The commands in a line each, in the order of the help: images, then bundles, then containers, then what helps with all. They
 * are apart from the commands, so that a list of them makes none.
 */
export const summaries = {
  try: 'run an image in a container, and leave nothing of it',
  pull: 'make a bundle of an image in a registry',
  unpack: 'make a bundle of an image in a file or directory',
  inspect: 'show what an image is, without fetching its layers',
  digest: 'print the digest of an image',
  'list-tags': 'list the tags of a repository',
  'list-referrers': 'list what refers to an image: signatures, SBOMs and the like',
  copy: 'copy an image between registries, layouts and archives',
  push: 'copy an image to a registry',
  images: 'list the images that have been pulled',
  tag: 'give an image that has been pulled a further name',
  rmi: 'remove an image that has been pulled, or one of a registry',
  prune: 'remove what no image in the store needs',
  verify: 'compare everything in the store with its digest',
  login: 'keep credentials for a registry',
  logout: 'forget the credentials for a registry',
  export: 'write the rootfs of a bundle or an image as a tar archive',
  diff: 'show which files of a bundle are not as in its image',
  repack: 'make an image of a bundle: its image with one more layer',
  unshare: 'run a command with your ids of /etc/subuid and /etc/subgid',
  spec: 'write a default config.json, which runs "sh"',
  config: 'change the config.json of a bundle',
  explain: 'print the system calls that running a bundle would make',
  run: 'create and run a container',
  create: 'create a container',
  start: 'start the program of a created container',
  exec: 'run one more process in a container',
  state: 'output the state of a container',
  list: 'list the containers of a root',
  ps: 'show the processes of a container',
  pause: 'suspend all processes of a container',
  resume: 'let the processes of a paused container go on',
  stats: 'show what containers use, as a live table',
  events: 'show what a container uses, and when it runs out of memory, as JSON',
  update: 'change the limits of a container',
  checkpoint: 'save the processes of a container in files, by CRIU',
  restore: 'make a container of what "checkpoint" has saved, by CRIU',
  kill: 'send a signal to a container (default: SIGTERM)',
  stop: 'end a container: its stop signal, then SIGKILL',
  wait: 'wait for a container to end, print its exit status and exit with it',
  doctor: 'show what works on this host, and how to have the rest',
  features: 'show what this runtime supports, as JSON',
  delete: 'remove a container that has stopped, or was never started',
  engine: 'have a container engine use this runtime',
  version: 'print the version',
  completion: 'print a script that completes command lines in a shell',
  man: 'print a manual page',
  help: 'show this list, or the help of one command',
} as const

/** A command that no list has. */
const hidden = { internal: 'do a step of a program' } as const

export type CommandName = keyof typeof summaries | keyof typeof hidden

export const summaryOf = (name: CommandName): string => ({ ...summaries, ...hidden })[name]
