import type { UnitProperty } from '../../compile/cgroup/unit-property.ts'
import { OciError } from '../../errors.ts'
import { attachProcess, type ManagerKind, startUnit, stopUnit, withSystemd } from '../../runtime/systemd.ts'

/** A request that a program makes to the tool itself while it runs; the compiler writes it, see `compile/cgroup/systemd.ts`. */
interface Request {
  readonly kind: ManagerKind
  readonly unit: string
  readonly pid?: number
  /** A cgroup below that of the unit. */
  readonly below?: string
  readonly properties?: readonly UnitProperty[]
}

/**
 * Does one step of a program that needs D-Bus.
 *
 * @param input JSON, as the compiler has made it
 * @throws OciError `ERR_SYSTEMD`; `ERR_USAGE` called by anybody else
 */
export async function runInternal(action: string, input: string): Promise<void> {
  const { kind, unit, pid, below = '', properties = [] } = parseRequest(input)
  await withSystemd(kind, async (connection) => {
    switch (action) {
      case 'start-unit':
        return startUnit(connection, unit, properties, unit.endsWith('.slice') ? undefined : pid)
      case 'stop-unit':
        return stopUnit(connection, unit)
      case 'attach':
        return attachProcess(connection, unit, pid ?? 0, below)
      default:
        throw misuse
    }
  })
}

const misuse = new OciError('ERR_USAGE', 'this command is for programs of this tool only')

function parseRequest(input: string): Request {
  try {
    const request = JSON.parse(input)
    if (typeof request?.unit === 'string' && (request.kind === 'system' || request.kind === 'user')) return request
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw misuse
}
