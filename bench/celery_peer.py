"""The job queue's peer in Celery: a task that writes one row into PostgreSQL and commits it.

As the worker:  celery -A celery_peer worker …          BROKER and DATABASE are URLs
As the adder:   python3 celery_peer.py add N             adds N as fast as it can
                python3 celery_peer.py rate R SECONDS    adds R a second

The row holds how long the task took from being added to its start. acks_late: as our jobs, a task survives the death of its
worker. Messages are persistent, and over RabbitMQ confirmed.
"""
import os
import sys
import time

import psycopg2
from celery import Celery

app = Celery("peer", broker=os.environ["BROKER"])
app.conf.update(
    task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=64, task_default_delivery_mode="persistent",
    broker_transport_options={"confirm_publish": True} if os.environ["BROKER"].startswith("amqp") else {},
    worker_hijack_root_logger=False, broker_pool_limit=1, task_serializer="json")

connection = None


@app.task(name="row")
def row(sent):
    global connection
    lag = time.time() - sent
    if connection is None:  # one for each process of the worker, kept
        connection = psycopg2.connect(os.environ["DATABASE"])
    with connection, connection.cursor() as c:
        c.execute("INSERT INTO effects (lag, at) VALUES (%s, clock_timestamp())", (lag,))


def main(what, n, seconds="1"):
    began, n = time.time(), int(n)
    if what == "add":
        for _ in range(n):
            row.delay(time.time())
        print(n / (time.time() - began))
        return
    for i in range(n * int(seconds)):
        wait = began + i / n - time.time()
        if wait > 0:
            time.sleep(wait)
        row.delay(time.time())


if __name__ == "__main__":
    main(*sys.argv[1:])
