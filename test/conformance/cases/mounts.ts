import { bind, type Case, type Cases, config, each, mapped, mappings, shell, tmpfs, withNamespace } from './config.ts'

const options = ['async', 'sync', 'dirsync', 'noatime', 'nodiratime', 'norelatime', 'strictatime', 'lazytime', 'silent']
const owners = { uidMappings: mappings(1000), gidMappings: mappings(2000) }

const idmapped = (change: object, linux = {}): Case => ({
  since: 2,
  config: shell('ls -ln /data; ls -lnd /data; cat /data/file; grep " /data " /proc/self/mountinfo | cut -d " " -f 6', {
    mounts: [{ ...bind('rootfs/data', '/data'), ...change }],
    linux,
  }),
})

/** `root` and `mounts` of config.json, and what hides paths. */
export const mountCases: Cases = {
  'a writable root': { config: config({ root: { path: 'rootfs' } }) },
  'a root by its absolute path': { config: config({ root: { path: '{laboratory}/bundle/rootfs', readonly: true } }) },
  'a root that is changed by chroot': { config: config(), flags: ['--no-pivot'] },

  'tmpfs of many kinds': {
    config: config({
      mounts: [
        tmpfs('/tmp'),
        tmpfs('/work', 'mode=0711', 'size=1m', 'nosuid', 'noatime'),
        tmpfs('/data', 'ro', 'nodev', 'noexec', 'uid=1000', 'gid=2000'),
        tmpfs('/new/place', 'strictatime', 'mode=1777'),
      ],
    }),
  },
  ...each('a mount that is', options, (option) => ({
    config: config({ mounts: [tmpfs('/work', 'mode=700', option)] }),
  })),
  'a mount that follows no links': {
    since: 3,
    config: config({ mounts: [tmpfs('/work', 'mode=700', 'nosymfollow')] }),
  },
  'options that take others back': {
    config: config({
      mounts: [tmpfs('/work', 'mode=700', 'ro', 'nosuid', 'nodev', 'noexec', 'rw', 'suid', 'dev', 'exec')],
    }),
  },
  'bind mounts of many kinds': {
    config: config({
      mounts: [
        bind('/usr', '/usr'),
        bind('/usr/share', '/data', 'ro', 'nosuid', 'nodev', 'noexec'),
        bind('rootfs/data/file', '/etc/file', 'ro'),
        bind('rootfs/data', '/work', 'noatime', 'rw'),
        { destination: '/tmp', source: '/usr/lib', options: ['rbind', 'rprivate', 'ro'] },
      ],
    }),
  },
  'binds of what is no regular file': {
    config: shell('ls -ln /etc; cat /etc/null', {
      mounts: [bind('/dev/null', '/etc/null'), bind('rootfs/work/pipe', '/etc/pipe'), bind('rootfs/data', '/etc/dir')],
    }),
  },
  'destinations with links, dots and slashes': {
    config: config({
      mounts: [
        tmpfs('/data/link', 'mode=701'),
        tmpfs('/data/absolute', 'mode=702'),
        tmpfs('/data/outside', 'mode=703'),
        tmpfs('/data/../tmp//', 'mode=704'),
        bind('rootfs/data/file', '/etc/link-to-file'),
      ],
    }),
  },
  'propagation of mounts': {
    config: config({
      mounts: [
        bind('rootfs/data', '/data', 'rshared'),
        bind('rootfs/work', '/work', 'slave'),
        bind('rootfs/tmp', '/tmp', 'private'),
        bind('rootfs/etc', '/etc', 'unbindable'),
      ],
    }),
  },
  'propagation of file systems': {
    config: config({ mounts: [tmpfs('/data', 'mode=700', 'rshared'), tmpfs('/work', 'mode=700', 'rslave')] }),
  },
  'recursive attributes': { config: config({ mounts: [bind('/usr', '/data', 'rro', 'rnosuid', 'rnodev')] }) },
  'recursive attributes taken back': {
    config: config({ mounts: [bind('/usr', '/data', 'ro', 'noexec', 'rrw', 'rexec', 'rnoatime')] }),
  },
  'a mount on top of a mount': {
    config: config({
      mounts: [tmpfs('/data', 'mode=755'), tmpfs('/data/deep/er', 'mode=700'), bind('/usr', '/data/usr')],
    }),
  },
  'two mounts in one place': {
    config: config({ mounts: [tmpfs('/data', 'mode=755', 'size=1m'), tmpfs('/data', 'mode=700', 'size=2m')] }),
  },
  'tmpfs with the content of the directory': {
    config: shell('ls -ln /data; cat /data/file', { mounts: [tmpfs('/data', 'tmpcopyup')] }),
  },
  'a read-only tmpfs with the content of the directory': {
    config: shell('ls -ln /data; cat /data/file; touch /data/new', {
      mounts: [tmpfs('/data', 'tmpcopyup', 'ro', 'mode=711', 'nosuid')],
    }),
  },
  'a read-only /dev': {
    config: config({
      mounts: [{ destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'ro', 'mode=755'] }],
    }),
  },
  'a /dev that is bound': {
    config: shell('ls -ln /dev | grep -E " (null|zero|fd|core|ptmx|console)( |$)" | cut -c 1-40', {
      mounts: [bind('/dev', '/dev', 'rbind')],
    }),
  },
  'a procfs that shows little': {
    config: config({ mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: ['hidepid=2'] }] }),
  },
  'files over those of /proc': {
    config: shell('cat /proc/uptime /proc/loadavg; wc -c /proc/meminfo', {
      mounts: ['uptime', 'loadavg', 'meminfo'].map((name) => bind('rootfs/data/file', `/proc/${name}`)),
    }),
  },
  'message queues and shared memory': {
    config: shell('echo x >/dev/shm/x && ls -ln /dev/shm | cut -c 1-20; ls -lnd /dev/mqueue /dev/shm'),
  },

  'an idmapped mount': idmapped(owners),
  'an idmapped mount of several ranges': idmapped({
    uidMappings: [...mappings(1000), { containerID: 70000, hostID: 0, size: 10 }],
    gidMappings: mappings(0),
  }),
  'an idmapped mount in a user namespace': idmapped(owners, mapped),
  'a mount idmapped like the container': idmapped({ options: ['bind', 'idmap'] }, mapped),
  'a mount idmapped like the container, with what is below': idmapped({ options: ['rbind', 'ridmap', 'ro'] }, mapped),

  ...each('root', ['private', 'rprivate', 'slave', 'rslave'], (rootfsPropagation) => ({
    config: config({ linux: { rootfsPropagation } }),
  })),
  // runc 1.1 leaves such a root private.
  ...each('root', ['shared', 'rshared', 'unbindable'], (rootfsPropagation) => ({
    since: 5,
    config: config({ linux: { rootfsPropagation } }),
  })),

  'masked and read-only paths': {
    config: config({
      linux: {
        maskedPaths: ['/data/inner', '/data/file', '/missing', '/proc/kcore'],
        readonlyPaths: ['/work', '/missing'],
      },
      root: { path: 'rootfs' },
    }),
  },
  'masked links, read-only files and mounts': {
    config: config({
      mounts: [tmpfs('/work', 'mode=700', 'nosuid', 'noexec')],
      linux: {
        maskedPaths: ['/data/link', '/etc/link-to-file'],
        readonlyPaths: ['/etc/passwd', '/work', '/data/absolute'],
      },
      root: { path: 'rootfs' },
    }),
  },
  'nothing masked': { config: config({ linux: { maskedPaths: [], readonlyPaths: [] } }) },

  'writable cgroups': {
    config: config({
      mounts: [{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'nodev'] }],
      linux: withNamespace('cgroup'),
    }),
  },
  'sysfs of the host': { config: shell('ls /sys/class/net | wc -l; touch /sys/x', { linux: withNamespace() }) },
}
