// TypeORM: synchronize twice (the second finds nothing to do), relations, a query builder.
require('reflect-metadata')
const { DataSource, EntitySchema } = require('typeorm')

const Author = new EntitySchema({
  name: 'Author',
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: String, length: 80, unique: true },
    born: { type: 'date', nullable: true },
    state: { type: 'enum', enum: ['on', 'off'], default: 'on' },
  },
  relations: { books: { type: 'one-to-many', target: 'Book', inverseSide: 'author' } },
})
const Book = new EntitySchema({
  name: 'Book',
  columns: {
    id: { type: 'uuid', primary: true, generated: 'uuid' },
    title: { type: String },
    data: { type: 'jsonb', default: {} },
  },
  indices: [{ name: 'by_title', columns: ['title'] }],
  relations: { author: { type: 'many-to-one', target: 'Author', joinColumn: true, onDelete: 'CASCADE' } },
})
const source = new DataSource({
  type: 'postgres', host: process.env.PGHOST, port: +process.env.PGPORT, username: process.env.PGUSER,
  password: process.env.PGPASSWORD, database: process.env.PGDATABASE, entities: [Author, Book],
  installExtensions: false, uuidExtension: 'pgcrypto',
})

async function main() {
  await source.initialize()
  await source.synchronize()
  const left = await source.driver.createSchemaBuilder().log()
  console.log('left to do:', left.upQueries.map((q) => q.query))
  const authors = source.getRepository('Author')
  const books = source.getRepository('Book')
  const ann = await authors.save({ name: 'ann', born: '2000-01-02' })
  await books.save([{ title: 'one', author: ann }, { title: 'two', author: ann, data: { n: 1 } }])
  console.log(await authors.find({ relations: { books: true } }).then((all) => all.map((a) => [a.name, a.born, a.state, a.books.length])))
  await authors.save({ name: 'ann' }).catch((error) => console.log(error.code))
  console.log(await books.createQueryBuilder('b').leftJoinAndSelect('b.author', 'a').orderBy('b.title').getRawMany().then((rows) => rows.map((r) => [r.b_title, r.a_name])))
  console.log(await source.transaction(async (m) => (await m.update('Book', { title: 'one' }, { title: 'uno' })).affected))
  await authors.delete({ name: 'ann' })
  console.log(await books.count())
  await source.dropDatabase()
}

main().then(() => source.destroy(), (error) => { console.log(error.message, error.query); return source.destroy() })
