"""Django: migrate its own apps, a model of ours by the schema editor, the ORM, inspectdb."""

import os

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
        "django.contrib.admin",
        "django.contrib.messages",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.models import Avg, Count, F, Q  # noqa: E402


class Book(models.Model):
    title = models.CharField(max_length=100, db_index=True)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    data = models.JSONField(default=dict)
    printed = models.DateField(null=True)

    class Meta:
        app_label = "shop"
        db_table = "shop_book"
        constraints = (
            models.CheckConstraint(condition=Q(price__gte=0), name="price_not_negative"),
            models.UniqueConstraint(fields=["title", "owner"], name="title_of_owner"),
        )


def main():
    call_command("migrate", verbosity=0)
    call_command("showmigrations")
    call_command("migrate", verbosity=1)  # nothing is left to do
    print(Permission.objects.count(), User.objects.count())
    ann = User.objects.create_user("ann", "ann@example.com", "secret")
    Group.objects.create(name="staff").user_set.add(ann)
    print(list(User.objects.filter(groups__name="staff").values_list("username", "is_active")))
    with connection.schema_editor() as editor:
        editor.create_model(Book)
    books = [
        Book(title=f"t{n}", owner=ann if n % 2 else None, price=n, data={"n": n})
        for n in range(1, 6)
    ]
    Book.objects.bulk_create(books)
    print([book.pk for book in books])
    print(Book.objects.aggregate(Avg("price"), Count("owner")))
    print(Book.objects.filter(data__n__gt=2).update(price=F("price") * 2))
    print(
        list(Book.objects.order_by("-price").values_list("title", "price", "owner__username")[:3])
    )
    try:
        with transaction.atomic():
            Book.objects.create(title="t1", owner=ann, price=1)
    except IntegrityError as error:
        print(error.__cause__.diag.constraint_name)
    with transaction.atomic():
        print(Book.objects.select_for_update().filter(owner=ann).count())
    print(Book.objects.update_or_create(title="t1", owner=ann, defaults={"price": 9})[1])
    with connection.schema_editor() as editor:
        field = models.TextField(default="none")
        field.set_attributes_from_name("note")
        editor.add_field(Book, field)
        editor.alter_field(Book, Book._meta.get_field("title"), _longer())  # noqa: SLF001 - Django's public name
    call_command("inspectdb", "shop_book", "auth_group", "auth_user_groups")
    call_command("sqlsequencereset", "auth", no_color=True)
    ann.delete()
    print(Book.objects.count())
    with connection.schema_editor() as editor:
        editor.delete_model(Book)
    call_command("flush", interactive=False, verbosity=0)
    print(User.objects.count())


def _longer():
    field = models.CharField(max_length=300, db_index=True)
    field.set_attributes_from_name("title")
    field.model = Book
    return field


main()
