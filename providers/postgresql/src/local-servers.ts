import type { OwnershipMark } from '@orrery/provider'

/**
 * Servers on this machine, one directory each, as the Instance kind sees them. The adapter in `node/` runs real
 * processes; names are external names of instances.
 */
export interface LocalServers {
  /** Identity of this machine; an instance is bound to the host that made it. */
  readonly hostId: string
  /** Server version of the packaged binaries, e.g. `18.4`. */
  version(): Promise<string>
  /** Undefined: there is no such server here, certainly. */
  inspect(name: string): Promise<LocalServer | undefined>
  /** Makes a data directory and puts it in place with one rename. Does not start it. */
  initialize(
    name: string,
    options: {
      readonly attempt: string
      readonly password: string
      readonly mark: OwnershipMark
      readonly settings: ServerSettings
      readonly signal: AbortSignal
    },
  ): Promise<void>
  /** Writes settings; a running server reads them anew. */
  configure(name: string, settings: ServerSettings): Promise<void>
  writeMark(name: string, mark: OwnershipMark): Promise<void>
  /** Starts the server and waits until it accepts connections. Idempotent. */
  start(name: string, signal: AbortSignal): Promise<void>
  /** Ends sessions and the server. Idempotent. */
  stop(name: string, signal: AbortSignal): Promise<void>
  /** Stops it, moves the directory aside with one rename, and deletes it. */
  remove(name: string, options: { readonly attempt: string; readonly signal: AbortSignal }): Promise<void>
  /** For a clean end of the manager: stops every server of this hub, and remembers which. */
  stopAll(signal: AbortSignal): Promise<void>
  /**
   * For a start after a clean end: starts what `stopAll` stopped, so that nothing that uses these servers ever sees
   * them gone. A server that does not start is left to its instance, which tells why.
   */
  resumeAll(signal: AbortSignal): Promise<void>
}

export interface ServerSettings {
  readonly port: number
  readonly parameters: Readonly<Record<string, string>>
}

export interface LocalServer {
  readonly dataDirectory: string
  readonly version: string
  readonly mark: OwnershipMark | null
  readonly settings: ServerSettings
  /** Undefined when it does not run. */
  readonly pid: number | undefined
  /** Differs from the settings until a restart after the port was changed. */
  readonly listeningPort: number | undefined
  /** Databases beside those that every server has. */
  readonly userDatabases: number
}

/** Chooses a free port of the loopback interface. */
export type ChoosePort = () => Promise<number>
