// A table in a Map, by node-postgres.
const { on } = require('node:events')
const { Client } = require('pg')

// Keep the rows of `table` by key, as long as the program runs; `show` them after every commit.
async function follow(table, show) {
  const rows = new Map()
  let token = null
  for (;;) {
    const client = new Client()
    client.on('error', () => {}) // without a handler, a lost link ends the program
    // From the beginning, and in a queue: what follows the snapshot may come before `await query()` returns.
    const changes = on(client, 'notification', { close: ['end'] })
    try {
      await client.connect()
      if (token === null) {
        const snapshot = await client.query(`SUBSCRIBE TO ${table}`)
        rows.clear()
        for (const { _seq, ...row } of snapshot.rows) rows.set(row.id, row) // bigint is text already
      } else {
        await client.query(`SUBSCRIBE TO ${table} OPTIONS (from_seq = '${token}')`)
      }
      show(rows)
      for await (const [{ payload }] of changes) {
        const change = JSON.parse(payload)
        if (change.op === 'error') {
          if (change.code === '72000') token = null // too long away; begin anew, with a snapshot
          break
        }
        if (change.op === 'truncate') rows.clear()
        else if (change.op === 'delete') rows.delete(change.key[0])
        else rows.set(change.key[0], change.row)
        token = change.token
        if (change.last) show(rows)
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50)) // go on from the token
    } finally {
      client.end().catch(() => {})
    }
  }
}

// For the runner: the end is a row 0.
function show(rows) {
  if (rows.has('0')) {
    console.log(JSON.stringify(Object.fromEntries(rows)))
    process.exit(0)
  }
}

follow(process.argv[2], show)
