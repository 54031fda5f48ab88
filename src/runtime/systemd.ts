import type { PropertyValue, UnitProperty } from '../compile/cgroup/unit-property.ts'
import { type Bus, connectToBus, type Reply } from '../dbus/connection.ts'
import { type Value, variant } from '../dbus/signature.ts'
import { OciError } from '../errors.ts'

export type ManagerKind = 'system' | 'user'

/** Time in milliseconds for the bus and systemd to answer all requests of one operation. */
const patienceMs = 30_000

const systemd = { destination: 'org.freedesktop.systemd1', path: '/org/freedesktop/systemd1' } as const
const manager = { ...systemd, interface: 'org.freedesktop.systemd1.Manager' } as const

/** The environment variables with the addresses of the buses. */
export interface BusEnvironment {
  readonly [name: string]: string | undefined
}

/**
 * Connects to the bus of the system's or the caller's own service manager, and closes it when `use` is done.
 *
 * @throws OciError `ERR_SYSTEMD` there is no bus, or no answer within `timeoutMs`, by default half a minute
 */
export async function withSystemd<T>(
  kind: ManagerKind,
  use: (connection: Bus) => Promise<T>,
  { env = process.env, timeoutMs = patienceMs }: { readonly env?: BusEnvironment; readonly timeoutMs?: number } = {},
): Promise<T> {
  const path = busPath(kind, env)
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(tooSlow(path, timeoutMs)), timeoutMs)
  try {
    const connection = await connectToBus(path, controller.signal)
    try {
      return await use(connection)
    } finally {
      connection.close()
    }
  } finally {
    clearTimeout(timer)
  }
}

const tooSlow = (path: string, timeoutMs: number): OciError =>
  new OciError('ERR_SYSTEMD', `no answer from systemd on the message bus "${path}" within ${timeoutMs / 1000} s`, {
    hint: 'see what keeps it busy with "systemctl list-jobs"',
  })

/**
 * The socket of a bus: the first unix path of its address.
 *
 * @throws OciError `ERR_SYSTEMD` the caller has no bus of their own
 * @see D-Bus Specification 0.43 "Server Addresses"
 */
export function busPath(kind: ManagerKind, env: BusEnvironment): string {
  if (kind === 'system') return unixPath(env.DBUS_SYSTEM_BUS_ADDRESS) ?? '/run/dbus/system_bus_socket'
  const path = unixPath(env.DBUS_SESSION_BUS_ADDRESS)
  if (path !== undefined) return path
  if (env.XDG_RUNTIME_DIR) return `${env.XDG_RUNTIME_DIR}/bus`
  throw new OciError('ERR_SYSTEMD', 'there is no message bus of this user: XDG_RUNTIME_DIR is not set', {
    hint: 'log in by a session of systemd-logind (ssh, machinectl shell), or leave out --systemd-cgroup',
  })
}

function unixPath(addresses = ''): string | undefined {
  for (const address of addresses.split(';')) {
    const path = /^unix:(?:.*,)?path=([^,]+)/.exec(address)?.[1]
    if (path !== undefined) return decodeURIComponent(path)
  }
  return undefined
}

/** Reads the version and the control group of a service manager, which are needed to place a unit. */
export async function readManager(connection: Bus): Promise<{ version: number; cgroup: string }> {
  const version = await readProperty(connection, 'Version')
  const cgroup = await readProperty(connection, 'ControlGroup')
  return { version: Number(/\d+/.exec(version)?.[0] ?? 0), cgroup: cgroup === '' ? '/' : cgroup }
}

async function readProperty(connection: Bus, name: string): Promise<string> {
  const reply = await connection.call({
    ...systemd,
    interface: 'org.freedesktop.DBus.Properties',
    member: 'Get',
    signature: 'ss',
    body: [manager.interface, name],
  })
  const [value] = succeeded(reply, `cannot read its ${name}`)
  return typeof value === 'object' && 'signature' in value ? String(value.value) : ''
}

/**
 * Starts a transient unit and waits until it is active.
 *
 * @param pid the first process of a scope
 * @throws OciError `ERR_SYSTEMD` systemd refuses the unit or its job fails
 */
export async function startUnit(
  connection: Bus,
  unit: string,
  properties: readonly UnitProperty[],
  pid?: number,
): Promise<void> {
  await subscribe(connection)
  const all = [...properties, ...(pid === undefined ? [] : [['PIDs', 'au', [pid]] as const])]
  const body = [unit, 'replace', all.map(asProperty), []]
  const start = (): Promise<Reply> =>
    connection.call({ ...manager, member: 'StartTransientUnit', signature: 'ssa(sv)a(sa(sv))', body })
  let reply = await start()
  if (reply.kind === 'error' && reply.name === 'org.freedesktop.systemd1.UnitExists') {
    // A failed unit that was not collected is only in the way.
    await resetFailed(connection, unit)
    reply = await start()
  }
  await jobDone(connection, unit, succeeded(reply, `cannot start "${unit}"`))
}

/** Stops a unit, which ends its processes, and waits until the unit is gone; one that does not exist is no error. */
export async function stopUnit(connection: Bus, unit: string): Promise<void> {
  await subscribe(connection)
  const reply = await connection.call({ ...manager, member: 'StopUnit', signature: 'ss', body: [unit, 'replace'] })
  if (!isNoSuchUnit(reply)) await jobDone(connection, unit, succeeded(reply, `cannot stop "${unit}"`))
  await resetFailed(connection, unit)
}

/** Changes properties of a unit until the next start of the machine. A unit that does not exist is no error. */
export async function setUnitProperties(
  connection: Bus,
  unit: string,
  properties: readonly UnitProperty[],
): Promise<void> {
  const body = [unit, true, properties.map(asProperty)]
  const reply = await connection.call({ ...manager, member: 'SetUnitProperties', signature: 'sba(sv)', body })
  if (!isNoSuchUnit(reply)) succeeded(reply, `cannot change "${unit}"`)
}

/**
 * Moves a process to a unit's cgroup.
 *
 * @param below a cgroup below the unit's, beginning with a slash, or ''
 * @throws OciError `ERR_SYSTEMD`
 */
export async function attachProcess(connection: Bus, unit: string, pid: number, below: string): Promise<void> {
  const body = [unit, below, [pid]]
  const reply = await connection.call({ ...manager, member: 'AttachProcessesToUnit', signature: 'ssau', body })
  succeeded(reply, `cannot put process ${pid} into "${unit}"`)
}

/** Subscribes to signals about jobs, which systemd sends only to subscribed connections. */
async function subscribe(connection: Bus): Promise<void> {
  const rule = `type='signal',sender='${systemd.destination}',interface='${manager.interface}',member='JobRemoved'`
  const match = await connection.call({
    destination: 'org.freedesktop.DBus',
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus',
    member: 'AddMatch',
    signature: 's',
    body: [rule],
  })
  succeeded(match, 'cannot subscribe to its signals')
  succeeded(await connection.call({ ...manager, member: 'Subscribe' }), 'cannot subscribe to its signals')
}

async function jobDone(connection: Bus, unit: string, [job]: readonly Value[]): Promise<void> {
  const result = await connection.signal(({ member, body }) => {
    const [, path, , outcome] = body
    return member === 'JobRemoved' && path === job && typeof outcome === 'string' ? outcome : undefined
  })
  if (result === 'done' || result === 'skipped') return
  throw failed(`the job for "${unit}" ended as "${result}"`)
}

async function resetFailed(connection: Bus, unit: string): Promise<void> {
  const reply = await connection.call({ ...manager, member: 'ResetFailedUnit', signature: 's', body: [unit] })
  if (!isNoSuchUnit(reply)) succeeded(reply, `cannot reset "${unit}"`)
}

const isNoSuchUnit = (reply: Reply): boolean =>
  reply.kind === 'error' && reply.name === 'org.freedesktop.systemd1.NoSuchUnit'

function succeeded(reply: Reply, what: string): readonly Value[] {
  if (reply.kind === 'return') return reply.body
  throw failed(`${what}: ${reply.text} (${reply.name})`)
}

const failed = (what: string): OciError => new OciError('ERR_SYSTEMD', `systemd: ${what}`)

const asProperty = ([name, type, value]: UnitProperty): Value => [name, variant(type, exact(type, value))]

/** A property's value for D-Bus; integers may come as text, since JSON numbers are rounded. */
const exact = (type: string, value: PropertyValue): Value =>
  'yiuxt'.includes(type) && typeof value === 'string' ? BigInt(value) : value
