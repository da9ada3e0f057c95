// Sequelize: sync, sync with alter, associations, a transaction, describeTable.
const { Sequelize, DataTypes, Op } = require('sequelize')

const db = new Sequelize(process.env.PGDATABASE, process.env.PGUSER, process.env.PGPASSWORD, {
  host: process.env.PGHOST, port: process.env.PGPORT, dialect: 'postgres', logging: false,
})
const User = db.define('User', {
  name: { type: DataTypes.STRING, allowNull: false, unique: true },
  role: { type: DataTypes.ENUM('admin', 'reader'), defaultValue: 'reader' },
  tags: DataTypes.ARRAY(DataTypes.TEXT),
  data: DataTypes.JSONB,
})
const Post = db.define('Post', { title: DataTypes.STRING, price: DataTypes.DECIMAL(8, 2) }, { indexes: [{ fields: ['title'] }] })
User.hasMany(Post, { onDelete: 'CASCADE' })
Post.belongsTo(User)

async function main() {
  await db.authenticate()
  await db.sync({ force: true })
  const ann = await User.create({ name: 'ann', tags: ['x'], data: { a: 1 } })
  await ann.createPost({ title: 'one', price: 1.5 })
  await db.transaction(async (transaction) => {
    await Post.bulkCreate([{ title: 'two', UserId: ann.id }, { title: 'three' }], { transaction })
  })
  const found = await User.findAll({ include: { model: Post, where: { title: { [Op.iLike]: '%O%' } } } })
  console.log(found.map((u) => [u.name, u.role, u.tags, u.data, u.Posts.map((p) => p.title).sort()]))
  await User.create({ name: 'ann' }).catch((error) => console.log(error.name, error.parent.constraint))
  console.log(await User.findOrCreate({ where: { name: 'bob' } }).then(([u, made]) => [u.name, made]))
  console.log((await User.upsert({ id: ann.id, name: 'ann', role: 'admin' }))[0].role)
  await db.sync({ alter: true })
  console.log(Object.keys(await db.getQueryInterface().describeTable('Posts')))
  console.log((await db.getQueryInterface().showIndex('Users')).map((i) => i.name).sort())
  await ann.destroy()
  console.log(await Post.count())
}

main().then(() => db.close(), (error) => { console.log(error.message, error.sql); db.close() })
