import { describe, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import type { CommandContext } from '../../src/cli/context.ts'
import { call } from './call.ts'

/** The flags of runc 1.5, by command: `x|name`, with `=` where they take a value. */
const flags: Readonly<Record<string, string>> = {
  checkpoint:
    'image-path= work-path= parent-path= leave-running tcp-established tcp-skip-in-flight link-remap ext-unix-sk ' +
    'shell-job lazy-pages status-fd= page-server= file-locks pre-dump manage-cgroups-mode= empty-ns= auto-dedup',
  create: 'b|bundle= console-socket= pidfd-socket= pid-file= no-pivot no-new-keyring preserve-fds=',
  delete: 'f|force',
  events: 'interval= stats',
  exec:
    'console-socket= pidfd-socket= cwd= e|env= t|tty u|user= g|additional-gids= p|process= d|detach pid-file= ' +
    'process-label= apparmor= no-new-privs c|cap= preserve-fds= cgroup= ignore-paused',
  features: '',
  kill: 'a|all',
  list: 'f|format= q|quiet',
  pause: '',
  ps: 'f|format=',
  restore:
    'console-socket= image-path= work-path= tcp-established ext-unix-sk shell-job file-locks manage-cgroups-mode= ' +
    'b|bundle= d|detach pid-file= no-subreaper no-pivot empty-ns= auto-dedup lazy-pages lsm-profile= lsm-mount-context=',
  resume: '',
  run: 'b|bundle= console-socket= pidfd-socket= d|detach keep pid-file= no-subreaper no-pivot no-new-keyring preserve-fds=',
  spec: 'b|bundle= rootless',
  start: '',
  state: '',
  update:
    'r|resources= blkio-weight= cpu-period= cpu-quota= cpu-burst= cpu-share= cpu-rt-period= cpu-rt-runtime= ' +
    'cpuset-cpus= cpuset-mems= kernel-memory= kernel-memory-tcp= memory= cpu-idle= memory-reservation= memory-swap= ' +
    'pids-limit= l3-cache-schema= mem-bw-schema=',
}

const context = { io: { name: 'x', env: {}, euid: 0 }, globals: () => ({}) } as unknown as CommandContext

describe('every flag of runc is taken', () => {
  test.each(Object.entries(flags))('%s', (name, list) => {
    const options = commands.find((command) => command.name === name)?.create(context).options ?? []
    for (const flag of list.split(' ').filter(Boolean)) {
      const [, letter, word, value] = /^(?:(\w)\|)?([\w-]+)(=?)$/.exec(flag) ?? []
      const option = options.find(({ long }) => long === `--${word}`)
      expect(option, flag).toBeDefined()
      expect(option?.short, flag).toBe(letter === undefined ? option?.short : `-${letter}`)
      expect(option?.required, flag).toBe(value === '=')
    }
  })

  test.each([
    ['--debug'],
    ['--log', '/dev/null'],
    ['--log-format', 'json'],
    ['--root', '/nonexistent'],
    ['--systemd-cgroup'],
    ['--rootless', 'true'],
    ['--rootless=false'],
    ['-rootless', 'auto'],
  ])('%s %s, before the command', async (...words) => {
    expect((await call([...words, 'spec', '-h'])).status).toBe(0)
  })

  test.each([
    [['list', '--root', '/nonexistent'], '/nonexistent'],
    [['--root', '/other', 'list', '-root=/nonexistent', '-q'], '/nonexistent'],
    [['state', '--log-format', 'json', 'none'], '{"level":"error",'],
    [['state', 'none', '--log-format=json'], '{"level":"error",'],
  ])('%j: a global flag may follow the command', async (words, shown) => {
    expect(await call(words)).toMatchObject({ status: 1, stderr: expect.stringContaining(shown) })
  })

  test.each([
    [['--rootless', 'false', 'spec', '--rootless', '-h'], 0, ''],
    [['list', '--version'], 1, 'flag provided but not defined: -version; see \\"bundle-tool list --help\\"'],
    [['ps', 'none', '--root', '/nonexistent'], 1, 'does not exist'],
  ])('%j: where the command has one of that name, or other words follow', async (words, status, shown) => {
    expect(await call(words)).toMatchObject({ status, stderr: expect.stringContaining(shown) })
  })

  test('--rootless takes nothing else', async () => {
    expect((await call(['--rootless', 'maybe', 'list'])).stderr).toContain('it must be true, false or auto')
  })
})
