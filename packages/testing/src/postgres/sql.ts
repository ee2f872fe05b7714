import pg from 'pg'

export type Row = Readonly<Record<string, unknown>>

/** Whom to ask, and as whom. */
export interface SqlTarget {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly username: string
  readonly password: string
  /** Encrypts without checking whom it talks to. */
  readonly tls?: boolean
}

/** A session that stays open until it is ended. */
export async function openSession(to: SqlTarget): Promise<pg.Client> {
  const client = new pg.Client({
    host: to.host,
    port: to.port,
    user: to.username,
    password: to.password,
    database: to.database,
    ssl: to.tls === true ? { rejectUnauthorized: false } : false,
  })
  // Whoever uses the connection hears of its end by the next statement.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** One statement over a connection of its own. */
export async function runSql(to: SqlTarget, sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
  const client = await openSession(to)
  try {
    return (await client.query<Row>(sql, [...values])).rows
  } finally {
    await client.end()
  }
}
