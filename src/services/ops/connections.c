/* connections: who uses which database connection, in all processes of the instance. */
#include "services/ops/internal.h"

#include "core/json.h"
#include "telemetry/telemetry.h"

int ops_db(struct sf_req *r) {
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_telemetry_conns_json(j);
	sf_json_obj_end(j);
	return 0;
}
