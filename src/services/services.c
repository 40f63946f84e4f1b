/* services: the list of modules that this binary holds, in the order in which they start. */
#include "services/services.h"

#include <stddef.h>

const struct sf_service *const sf_services[] = { &platform_service, &coocook_service,  &mail_service,
												 &ops_service,      &telegram_service, NULL };
